# The files by which find_package(ocellus) finds the shared library, and the program with its demo model.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS ocellus_shared EXPORT ocellusTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ocellus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/ocellus ${PROJECT_BINARY_DIR}/include/ocellus DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(OCELLUS_SHELL_FILES ${PROJECT_BINARY_DIR}/share)
install(FILES ${OCELLUS_SHELL_FILES}/ocellus DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${OCELLUS_SHELL_FILES}/_ocellus DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${OCELLUS_SHELL_FILES}/ocellus.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${OCELLUS_SHELL_FILES}/ocellus.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY models/demo DESTINATION ${CMAKE_INSTALL_DATADIR}/ocellus/models)
install(EXPORT ocellusTargets NAMESPACE ocellus:: FILE ocellusTargets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ocellus)
file(WRITE ${PROJECT_BINARY_DIR}/ocellusConfig.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/ocellusTargets.cmake)\n")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ocellusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ocellusConfig.cmake ${PROJECT_BINARY_DIR}/ocellusConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ocellus)
