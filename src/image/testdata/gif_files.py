"""GIF: palettes global, local, short and missing; transparency; frames beside and beyond the canvas."""
import struct

from PIL import Image

from common import PICTURES, noise, scene


def sub_blocks(data):
    out = b""
    for at in range(0, len(data), 255):
        part = data[at:at + 255]
        out += bytes([len(part)]) + part
    return out + b"\0"


def lzw(indices, bits):
    """Codes that never refer back: a clear code whenever the width would grow."""
    clear, codes = 1 << bits, []
    for number, index in enumerate(indices):
        if number % (clear - 2 or 1) == 0:
            codes.append(clear)
        codes.append(index)
    codes.append(clear + 1)
    value = sum(code << (n * (bits + 1)) for n, code in enumerate(codes))
    return value.to_bytes((len(codes) * (bits + 1) + 7) // 8, "little")


def gif(canvas, frame, bits=4, table=b"", local=b"", interlaced=False, transparent=None, junk=b""):
    left, top, width, height = frame
    flags = 0x80 | (bits - 1) if table else 0
    out = b"GIF89a" + struct.pack("<HHBBB", *canvas, flags, 3, 0) + table + junk
    if transparent is not None:
        out += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, transparent) + b"\0"
    flags = (0x80 | (bits - 1) if local else 0) | (0x40 if interlaced else 0)
    indices = [value >> (8 - bits) for value in noise(width * height, 17)]
    out += b"," + struct.pack("<HHHHB", left, top, width, height, flags) + local
    return out + bytes([max(bits, 2)]) + sub_blocks(lzw(indices, max(bits, 2))) + b";"


def write():
    for width, height in ((1, 1), (5, 3), (64, 48)):
        scene(width, height, "P").save(PICTURES / f"palette_{width}x{height}.gif")
    scene(33, 21, "L").save(PICTURES / "grey.gif")
    scene(33, 21, "1").save(PICTURES / "bilevel.gif")
    frames = [scene(32, 24), scene(32, 24).rotate(180)]
    frames[0].save(PICTURES / "animated.gif", save_all=True, append_images=frames[1:])
    table, other = noise(48, 3), noise(48, 4)
    whole = (20, 15), (0, 0, 20, 15)
    files = {
        "interlaced": gif(*whole, table=table, interlaced=True),
        "interlaced_3_rows": gif((9, 3), (0, 0, 9, 3), table=table, interlaced=True),
        "local_table": gif(*whole, table=table, local=other),
        "no_table": gif(*whole),
        "grey_table": gif(*whole, table=bytes(v for i in range(16) for v in (i, i, i))),
        "transparent": gif(*whole, table=table, transparent=5),
        "transparent_no_table": gif(*whole, transparent=5),
        "transparent_beyond": gif(*whole, table=table, transparent=200),
        "inside_canvas": gif((20, 15), (4, 3, 9, 8), table=table),
        "inside_canvas_clear": gif((20, 15), (4, 3, 9, 8), table=table, transparent=2),
        "beyond_canvas": gif((20, 15), (12, 9, 20, 15), table=table),
        "canvas_0": gif((0, 0), (0, 0, 20, 15), table=table),
        "one_bit": gif(*whole, bits=1, table=noise(6, 3)),
        "eight_bits": gif(*whole, bits=8, table=noise(768, 3)),
        "junk_between": gif(*whole, table=table, junk=b"\1\2\3!\xfe\x05hello\0!\xff\x0bNETSCAPE2.0\x03\1\0\0\0"),
    }
    for name, data in files.items():
        (PICTURES / f"{name}.gif").write_bytes(data)
    no_trailer = files["interlaced"][:-1]
    (PICTURES / "no_trailer.gif").write_bytes(no_trailer)
    (PICTURES / "no_terminator.gif").write_bytes(no_trailer[:-1])
    # More data than pixels: the rest is ignored.
    at = files["local_table"].index(b",") + 5
    short = bytearray(files["local_table"])
    short[at:at + 4] = struct.pack("<HH", 20, 7)
    (PICTURES / "more_data_than_rows.gif").write_bytes(bytes(short))
    return {}
