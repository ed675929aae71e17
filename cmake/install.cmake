# One shared library for other programs, and the files by which find_package(ocellus) finds it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(ocellus_shared SHARED ${PROJECT_SOURCE_DIR}/src/base/error.cc)
# Whole: the public classes are members of this archive that nothing inside the library calls.
target_link_libraries(ocellus_shared PRIVATE ocellus_options $<LINK_LIBRARY:WHOLE_ARCHIVE,ocellus_vision>)
target_include_directories(ocellus_shared PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(ocellus_shared PUBLIC cxx_std_23)
set_target_properties(ocellus_shared PROPERTIES
  OUTPUT_NAME ocellus EXPORT_NAME ocellus VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

install(TARGETS ocellus_shared EXPORT ocellusTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ocellus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/ocellus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY models/demo DESTINATION ${CMAKE_INSTALL_DATADIR}/ocellus/models)
install(EXPORT ocellusTargets NAMESPACE ocellus:: FILE ocellusTargets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ocellus)
file(WRITE ${CMAKE_BINARY_DIR}/ocellusConfig.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/ocellusTargets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ocellusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ocellusConfig.cmake ${CMAKE_BINARY_DIR}/ocellusConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ocellus)
