# Libraries from the system (pkg-config) and ggml: a system one, a user's own tree, or the pinned source distribution.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(VIPS REQUIRED IMPORTED_TARGET vips)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(EXPAT REQUIRED IMPORTED_TARGET expat)
pkg_check_modules(LIBRAW REQUIRED IMPORTED_TARGET libraw_r)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas)

if(PIAA_SYSTEM_GGML)
  find_package(ggml REQUIRED)
  add_library(piaa_ggml INTERFACE)
  target_link_libraries(piaa_ggml INTERFACE ggml::ggml)
else()
  set(piaa_ggml_source "${PIAA_GGML_DIR}")
  if(NOT piaa_ggml_source)
    set(piaa_ggml_source "${CMAKE_SOURCE_DIR}/build/deps/ggml")
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/fetch-ggml" "${piaa_ggml_source}" RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "ggml could not be fetched: give -DPIAA_GGML_DIR=<a ggml source tree> or -DPIAA_SYSTEM_GGML=ON")
    endif()
  endif()
  set(BUILD_SHARED_LIBS OFF)
  set(GGML_LLAMAFILE ON CACHE BOOL "" FORCE)   # without it bf16 products run at half the speed
  set(GGML_OPENMP OFF CACHE BOOL "" FORCE)     # its own threads are as fast, and one library fewer
  set(GGML_CCACHE OFF CACHE BOOL "" FORCE)
  set(GGML_ALL_WARNINGS OFF CACHE BOOL "" FORCE) # thousands of lines about its own code and the compiler's headers
  set(GGML_RPC ON CACHE BOOL "" FORCE)         # devices of other machines, and the tests' device that is not the CPU
  set(GGML_RPC_RDMA OFF CACHE BOOL "")
  # CUDA without its virtual memory calls needs no libcuda.so.1, so that one program starts with and without a driver.
  set(GGML_CUDA_NO_VMM ON CACHE BOOL "")
  set(GGML_CUDA_NCCL OFF CACHE BOOL "")        # for several GPUs at once
  set(GGML_BUILD_TESTS OFF CACHE BOOL "" FORCE)
  set(GGML_BUILD_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(piaa_build_type "${CMAKE_BUILD_TYPE}")
  set(CMAKE_BUILD_TYPE Release)                # ggml is never debugged here, and a slow one would stall every other preset
  add_subdirectory("${piaa_ggml_source}" "${CMAKE_BINARY_DIR}/ggml" EXCLUDE_FROM_ALL)
  set(CMAKE_BUILD_TYPE "${piaa_build_type}")
  add_library(piaa_ggml INTERFACE)
  target_link_libraries(piaa_ggml INTERFACE ggml)
endif()
