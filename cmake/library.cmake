# One shared library for other programs: ocellus::ocellus, in this build as after find_package(ocellus).
add_library(ocellus_shared SHARED
  ${PROJECT_SOURCE_DIR}/src/base/error.cc ${PROJECT_SOURCE_DIR}/src/base/log.cc ${PROJECT_SOURCE_DIR}/src/base/version.cc)
add_library(ocellus::ocellus ALIAS ocellus_shared)
# Whole: the public classes are members of this archive that nothing inside the library calls.
target_link_libraries(ocellus_shared PRIVATE ocellus_options $<LINK_LIBRARY:WHOLE_ARCHIVE,ocellus_capi,ocellus_vision>)
target_include_directories(ocellus_shared PUBLIC "$<BUILD_INTERFACE:${OCELLUS_INCLUDE_DIRECTORIES}>")
target_compile_features(ocellus_shared PUBLIC cxx_std_23)
set_target_properties(ocellus_shared PROPERTIES
  OUTPUT_NAME ocellus EXPORT_NAME ocellus VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
# What OCELLUS_API marks, and nothing of the standard library's or other libraries' templates, which they make visible
# themselves.
set(OCELLUS_SYMBOLS ${PROJECT_SOURCE_DIR}/cmake/symbols.map)
target_link_options(ocellus_shared PRIVATE -Wl,--version-script=${OCELLUS_SYMBOLS})
set_target_properties(ocellus_shared PROPERTIES LINK_DEPENDS ${OCELLUS_SYMBOLS})
