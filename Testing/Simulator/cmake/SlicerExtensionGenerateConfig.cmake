# The description of the extension; refuses what the Extensions Index would refuse.

foreach(_name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${_name})
    message(FATAL_ERROR "EXTENSION_${_name} is not set")
  endif()
endforeach()
if(EXTENSION_NAME MATCHES "^Slicer")
  message(FATAL_ERROR "The name of an extension must not start with Slicer")
endif()
if(NOT EXISTS ${EXTENSION_SOURCE_DIR}/LICENSE AND NOT EXISTS ${EXTENSION_SOURCE_DIR}/LICENSE.txt)
  message(FATAL_ERROR "There is no LICENSE at the top of the extension")
endif()

set(_description ${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext)
file(WRITE ${_description}
  "scm git\n"
  "scmurl ${EXTENSION_HOMEPAGE}.git\n"
  "depends ${EXTENSION_DEPENDS}\n"
  "build_subdirectory .\n"
  "homepage ${EXTENSION_HOMEPAGE}\n"
  "contributors ${EXTENSION_CONTRIBUTORS}\n"
  "category ${EXTENSION_CATEGORY}\n"
  "iconurl ${EXTENSION_ICONURL}\n"
  "description ${EXTENSION_DESCRIPTION}\n"
  "screenshoturls ${EXTENSION_SCREENSHOTURLS}\n"
  "enabled 1\n")
install(FILES ${_description} DESTINATION ${Slicer_INSTALL_SHARE_DIR} COMPONENT RuntimeLibraries)
