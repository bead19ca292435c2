# cmake --install: headers, archives, find_package(Spanwire) and pkg-config.
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY SPANWIRE_LAYERS)
get_property(archives GLOBAL PROPERTY SPANWIRE_ARCHIVES)
set(spanwire_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Spanwire)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/spanwire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/spanwire)
install(TARGETS ${layers} spanwire_asio EXPORT SpanwireTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT SpanwireTargets NAMESPACE Spanwire:: DESTINATION ${spanwire_package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/SpanwireConfig.cmake.in
  ${PROJECT_BINARY_DIR}/SpanwireConfig.cmake INSTALL_DESTINATION ${spanwire_package_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SpanwireConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/SpanwireConfig.cmake ${PROJECT_BINARY_DIR}/SpanwireConfigVersion.cmake
  DESTINATION ${spanwire_package_dir})

# A linker reads archives from left to right: users before what they use.
list(REVERSE archives)
list(TRANSFORM archives PREPEND -l)
list(JOIN archives " " SPANWIRE_PC_LIBS)
list(TRANSFORM SPANWIRE_ASIO_DEFINITIONS PREPEND -D OUTPUT_VARIABLE definitions)
list(JOIN definitions " " SPANWIRE_PC_DEFINITIONS)
# The prefix is known at install time only, so the file finds it from its own place.
file(RELATIVE_PATH SPANWIRE_PC_PREFIX /x/${CMAKE_INSTALL_LIBDIR}/pkgconfig /x)
configure_file(${CMAKE_CURRENT_LIST_DIR}/spanwire.pc.in ${PROJECT_BINARY_DIR}/spanwire.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/spanwire.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET spanwire)
  install(TARGETS spanwire RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
