# SPDX-License-Identifier: Apache-2.0
# Installation of the command with its man pages and completion, and the
# Debian package (cpack -G DEB).
include(GNUInstallDirs)
if(TARGET senone)
  set(man ${PROJECT_BINARY_DIR}/man)
  install(TARGETS senone RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY ${man}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
          FILES_MATCHING PATTERN "*.1")
  install(FILES ${PROJECT_BINARY_DIR}/senone.bash RENAME senone
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
  install(PROGRAMS scripts/make-en-us
          DESTINATION ${CMAKE_INSTALL_DATADIR}/senone)
endif()

set(CPACK_PACKAGE_NAME senone)
set(CPACK_PACKAGE_VENDOR "Senone")
set(CPACK_PACKAGE_CONTACT "Senone maintainers <maintainers@senone.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGE_DESCRIPTION
    "Compiles acoustic models, lexica and language models into one weighted\n finite-state search graph and transcribes audio with it, offline on a CPU.\n The command, the C library and its header.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS pocketsphinx-en-us)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_STRIP_FILES ON)
include(CPack)
