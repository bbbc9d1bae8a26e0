# piaa_room(NAME [ROOMS earlier rooms] [LIBRARIES targets] SOURCES files): one static library per folder of src/.
# piaa_test(NAME ROOM room [FAULTS] [PROGRAM] [LIBRARIES …]): tests/ROOM/test_NAME.c, a cmocka program registered with CTest.
#   FAULTS: with tests/faults.h in place of some functions of the C library; only where the linker can do that.
#   PROGRAM: it runs piaa, which PIAA_PROGRAM names.
# piaa_fuzz(NAME ROOM room): tests/fuzz/fuzz_NAME.c, a libFuzzer program.
set(piaa_warnings -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla)
if(PIAA_WERROR)
  list(APPEND piaa_warnings -Werror)
endif()
set(piaa_sanitizers "")
if(PIAA_SANITIZE)
  set(piaa_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()

set(piaa_posix _XOPEN_SOURCE=700 _FILE_OFFSET_BITS=64)
if(APPLE) # which shows some of POSIX 2008 (O_NOFOLLOW, mkdtemp) only together with its own
  list(APPEND piaa_posix _DARWIN_C_SOURCE)
endif()

add_library(piaa_options INTERFACE)
target_compile_options(piaa_options INTERFACE ${piaa_warnings} ${piaa_sanitizers} -fvisibility=hidden)
target_link_options(piaa_options INTERFACE ${piaa_sanitizers})
target_compile_definitions(piaa_options INTERFACE ${piaa_posix})
target_include_directories(piaa_options INTERFACE "${CMAKE_SOURCE_DIR}/include" "${CMAKE_SOURCE_DIR}/src")
target_link_libraries(piaa_options INTERFACE Threads::Threads)

set_property(GLOBAL PROPERTY piaa_rooms "")

function(piaa_room name)
  cmake_parse_arguments(R "" "" "ROOMS;LIBRARIES;SOURCES" ${ARGN})
  add_library(piaa_${name} STATIC ${R_SOURCES})
  list(TRANSFORM R_ROOMS PREPEND piaa_)
  if(PIAA_FUZZ)
    target_compile_options(piaa_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  target_link_libraries(piaa_${name} PUBLIC piaa_options ${R_ROOMS} ${R_LIBRARIES} m)
  set_property(GLOBAL APPEND PROPERTY piaa_rooms piaa_${name})
endfunction()

set(piaa_faults "")
foreach(function IN ITEMS calloc realloc aligned_alloc fdatasync fsync rename opendir)
  list(APPEND piaa_faults "LINKER:--wrap=${function}")
endforeach()
foreach(function IN ITEMS open pread pwrite fstat mmap) # with 64-bit offsets the GNU C library has other names
  list(APPEND piaa_faults "LINKER:--wrap=${function}" "LINKER:--wrap=${function}64")
endforeach()
include(CheckLinkerFlag)
check_linker_flag(C "LINKER:--wrap=calloc" PIAA_LINKER_WRAPS)

function(piaa_test name)
  cmake_parse_arguments(T "FAULTS;PROGRAM" "ROOM" "LIBRARIES" ${ARGN})
  if(T_FAULTS AND NOT PIAA_LINKER_WRAPS)
    return()
  endif()
  add_executable(test_${name} "${CMAKE_SOURCE_DIR}/tests/${T_ROOM}/test_${name}.c")
  target_link_libraries(test_${name} PRIVATE piaa_${T_ROOM} ${T_LIBRARIES} PkgConfig::CMOCKA)
  if(T_FAULTS)
    target_link_options(test_${name} PRIVATE ${piaa_faults})
  endif()
  target_include_directories(test_${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(test_${name} PRIVATE PIAA_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden" PIAA_SOURCE="${CMAKE_SOURCE_DIR}"
                             PIAA_BUILD="${CMAKE_BINARY_DIR}")
  add_test(NAME ${T_ROOM}/${name} COMMAND test_${name})
  set_tests_properties(${T_ROOM}/${name} PROPERTIES LABELS ${T_ROOM}
                       ENVIRONMENT "LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp")
  if(T_PROGRAM) # it runs piaa
    add_dependencies(test_${name} piaa)
    target_compile_definitions(test_${name} PRIVATE PIAA_PROGRAM="$<TARGET_FILE:piaa>")
  endif()
endfunction()

function(piaa_fuzz name)
  cmake_parse_arguments(F "" "ROOM" "" ${ARGN})
  add_executable(fuzz_${name} "${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_${name}.c")
  target_link_libraries(fuzz_${name} PRIVATE piaa_${F_ROOM})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_compile_definitions(fuzz_${name} PRIVATE PIAA_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden")
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
