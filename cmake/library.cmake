# libpiaa: every room in one shared library, of which only what include/piaa.h declares can be seen; ggml is inside it.
get_property(rooms GLOBAL PROPERTY piaa_rooms)
set(objects "")
foreach(room IN LISTS rooms)
  list(APPEND objects "$<TARGET_OBJECTS:${room}>")
endforeach()
add_library(libpiaa SHARED ${objects})
set_target_properties(libpiaa PROPERTIES OUTPUT_NAME piaa LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}) # before 1.0 each minor version has sizes of its own
target_link_libraries(libpiaa PRIVATE ${rooms})
target_include_directories(libpiaa INTERFACE "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
if(NOT APPLE)
  target_link_options(libpiaa PRIVATE "LINKER:--exclude-libs,ALL")
endif()

# From where it lies, so that an installation can be moved.
file(RELATIVE_PATH piaa_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file(cmake/piaa.pc.in piaa.pc @ONLY)
install(TARGETS libpiaa LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(FILES include/piaa.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${CMAKE_BINARY_DIR}/piaa.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(DIRECTORY models/demo DESTINATION "${CMAKE_INSTALL_DATADIR}/piaa/models" PATTERN recipe EXCLUDE)
