# Writes the files of the page as C++: cmake -DFOLDER=... -DOUT=page_files.h -P embed_page.cmake
file(GLOB names RELATIVE ${FOLDER} ${FOLDER}/*.html ${FOLDER}/*.css ${FOLDER}/*.js ${FOLDER}/*.svg ${FOLDER}/*.json)
list(SORT names)
set(bytes "")
set(rows "")
set(number 0)
foreach(name IN LISTS names)
  file(READ ${FOLDER}/${name} hex HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," chars "${hex}")
  string(APPEND bytes "inline constexpr char kPageBytes${number}[] = {${chars}'\\0'};\n")
  string(APPEND rows "    {\"${name}\", {kPageBytes${number}, sizeof kPageBytes${number} - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "// Made from the files of src/server/page; do not edit.
#pragma once

#include <string_view>

namespace ocellus::server {

struct PageFile {
  std::string_view name, content;
};

${bytes}
inline constexpr PageFile kPageFiles[] = {
${rows}};

}  // namespace ocellus::server
")
