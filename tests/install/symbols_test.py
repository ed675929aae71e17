"""libocellus.so exports what include/ocellus/ marks with OCELLUS_API, all of it and nothing else.

Usage: symbols_test.py LIBRARY INCLUDE_DIR...
"""
import pathlib
import re
import subprocess
import sys

library = sys.argv[1]
headers = [path for folder in sys.argv[2:] for path in sorted(pathlib.Path(folder).glob("ocellus/*.h"))]
text = "\n".join(path.read_text() for path in headers)
text = re.sub(r"/\*.*?\*/|//[^\n]*|^#[^\n]*", "", text, flags=re.S | re.M)
classes = set(re.findall(r"\b(?:class|struct)\s+OCELLUS_API\s+(\w+)", text))
functions = set(re.findall(r"\bOCELLUS_API\s+(?!class|struct)[^;{()]*?\b(\w+)\s*\(", text))
assert {"Model", "Registry"} <= classes and "error_info" in functions, (classes, functions)

listed = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
mangled = [line.split()[-1].split("@")[0] for line in listed.splitlines()]
demangled = subprocess.run(["c++filt"], input="\n".join(mangled), check=True, capture_output=True, text=True).stdout.splitlines()

found, strangers = set(), []
for name in demangled:
    bare = re.sub(r"^(typeinfo name|typeinfo|vtable|guard variable) for ", "", name)
    part = re.match(r"ocellus::(\w+)(::|$|\[|\()", bare) or re.match(r"(ocellus_\w+)()$", bare)
    allowed = part and (part[1] in (classes if part[2] == "::" or part[2] == "" else functions)
                        or part[1] in functions)
    if allowed:
        found.add(part[1])
    else:
        strangers.append(name)
missing = {name for name in functions if name not in found}
for name in strangers[:40]:
    print(f"exported, but not marked with OCELLUS_API: {name}")
for name in sorted(missing):
    print(f"marked with OCELLUS_API, but not exported: {name}")
print(f"{len(demangled)} symbols, {len(strangers)} too many, {len(missing)} missing")
sys.exit(1 if strangers or missing or not found else 0)
