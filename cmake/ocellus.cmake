# Functions that make targets. Every library is `ocellus_<folder>`.

add_library(ocellus_options INTERFACE)
target_compile_options(ocellus_options INTERFACE -Wall -Wextra
  $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>
  # GCC 12 invents overlapping copies in std::string (its bug 105329).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
if(OCELLUS_WERROR AND NOT OCELLUS_SANITIZE)  # GCC warns of paths that only the sanitizers' checks have made
  target_compile_options(ocellus_options INTERFACE -Werror
    # But what GCC infers while it optimises: wrong in many a std::string, and another with every order of includes.
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-error=array-bounds> $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-error=stringop-overflow>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-error=stringop-overread> $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-error=maybe-uninitialized>)
endif()
# Numbers are the same on every machine: no contraction of a*b+c by the compiler; where a fused
# multiply-add is wanted, the code says std::fma or the intrinsic.
target_compile_options(ocellus_options INTERFACE -ffp-contract=off)
if(OCELLUS_SANITIZE)
  # No recovery: a finding ends the program, so that its test fails; and it is a third less to compile.
  target_compile_options(ocellus_options INTERFACE
    -fsanitize=${OCELLUS_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(OCELLUS_SANITIZE MATCHES "undefined")
    # But dynamic types: looked at through a pipe, they are all wrong where no descriptor is left, as in runtime_test.
    target_compile_options(ocellus_options INTERFACE -fsanitize-recover=vptr)
  endif()
  target_link_options(ocellus_options INTERFACE -fsanitize=${OCELLUS_SANITIZE})
endif()

# Precompiled headers. ccache keeps nothing that uses them, unless told to be less strict.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
# Of the libraries, unless OCELLUS_PRECOMPILE is off: a build without shows what a file forgot to include.
set(OCELLUS_COMMON_HEADERS
  <algorithm> <array> <chrono> <cmath> <cstdint> <cstring> <expected> <filesystem> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <unordered_map> <vector> <fmt/format.h>)

# The public headers: those of the source tree, and the version that CMake writes.
set(OCELLUS_INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
configure_file(${PROJECT_SOURCE_DIR}/cmake/ocellus_version.h.in ${PROJECT_BINARY_DIR}/include/ocellus/ocellus_version.h @ONLY)

# ocellus_library(<folder> SOURCES ... [DEPS public ...] [PRIVATE_DEPS ...])
function(ocellus_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(ocellus_${folder} STATIC ${ARG_SOURCES})
  target_include_directories(ocellus_${folder} PUBLIC
    ${PROJECT_SOURCE_DIR}/src ${OCELLUS_INCLUDE_DIRECTORIES})
  target_link_libraries(ocellus_${folder} PUBLIC ${ARG_DEPS} PRIVATE ocellus_options ${ARG_PRIVATE_DEPS})
  if(OCELLUS_PRECOMPILE AND folder STREQUAL "base")
    target_precompile_headers(ocellus_base PRIVATE ${OCELLUS_COMMON_HEADERS})
  elseif(OCELLUS_PRECOMPILE AND NOT folder STREQUAL "capi")  # which knows nothing of fmt
    target_precompile_headers(ocellus_${folder} REUSE_FROM ocellus_base)
  endif()
endfunction()

# ocellus_test(<name> SOURCES ... DEPS ... [TIMEOUT seconds]): one GoogleTest binary, run by ctest as a whole.
function(ocellus_test name)
  if(NOT OCELLUS_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS" ${ARGN})
  # A bound for what hangs, not for what is slow: machines that run tests may do much else besides.
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 900)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ocellus_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  # GoogleTest itself, once for all tests; it is the larger part of what they include.
  if(NOT name STREQUAL "base_test")
    target_precompile_headers(${name} REUSE_FROM base_test)
  else()
    target_precompile_headers(base_test PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    if(OCELLUS_PRECOMPILE)
      target_precompile_headers(base_test PRIVATE ${OCELLUS_COMMON_HEADERS})
    endif()
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
  # Corpora stand beside the checkout where they are; tests that want them skip without.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT
    "OCELLUS_SOURCE_DIR=${PROJECT_SOURCE_DIR};OCELLUS_CORPORA=${PROJECT_SOURCE_DIR}/../shared/corpora;OCELLUS_BINARY=$<TARGET_FILE:ocellus>;LSAN_OPTIONS=suppressions=;TSAN_OPTIONS=halt_on_error=1")
endfunction()
