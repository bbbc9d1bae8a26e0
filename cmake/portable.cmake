# ggml for any CPU of a kind (PIAA_PORTABLE): its CPU back end several times, each for other instructions, in one library.
#
# ggml has this as shared objects, which it looks for where the program lies and in the current folder.  Here they are inside libpiaa,
# so that there is nothing to look for, nothing to lose, and no name that another ggml in the same process could answer to.  The objects
# of each back end are linked into one of which two functions can be seen, under names with the variant's behind them; src/vlm/variants.c
# takes the best that the CPU at hand can run.  All else of it is local: a template of the standard library that was compiled for wide
# registers must not serve anybody else, and section groups, which the linker would merge by name, are dissolved for that.
#
#   piaa_ggml_settings()   before ggml's folder: what makes it declare its variants
#   piaa_ggml_join(TARGET) after it: TARGET is a static library with all of ggml

# What a step brings here: ggml has more, of which the rest is for instructions that nothing here comes to (AMX), for compilers newer
# than Debian's (SME), or within a few percent of its neighbour.
set(PIAA_CPU_VARIANTS x64 sse42 haswell alderlake skylakex cascadelake zen4 armv8.0_1 armv8.2_1 armv8.2_2 armv8.6_1
    CACHE STRING "ggml's CPU variants in a portable build, as ggml calls them")

macro(piaa_ggml_settings)
  if(PIAA_SYSTEM_GGML OR GGML_CUDA)
    message(FATAL_ERROR "PIAA_PORTABLE is for the CPU and for a ggml that is built here: leave PIAA_SYSTEM_GGML and GGML_CUDA off")
  endif()
  set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|aarch64|arm64)$")
    set(piaa_variants ON)
    set(BUILD_SHARED_LIBS ON) # ggml insists; its objects are used, not its libraries
    # Names that are the same in the whole process, which the linker's tools leave alone.
    add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
    set(GGML_BACKEND_DL ON CACHE BOOL "" FORCE)
    set(GGML_CPU_ALL_VARIANTS ON CACHE BOOL "" FORCE)
  else()
    message(STATUS "PIAA_PORTABLE: one variant, for the least of this kind of CPU")
  endif()
endmacro()

function(piaa_ggml_join target)
  set(objects "")
  set(list "")
  foreach(variant IN LISTS PIAA_CPU_VARIANTS)
    set(cpu ggml-cpu-${variant})
    if(NOT TARGET ${cpu})
      continue() # of another kind of CPU
    endif()
    string(MAKE_C_IDENTIFIER "${variant}" name)
    set(object "${CMAKE_BINARY_DIR}/${cpu}.o")
    set(parts "$<TARGET_OBJECTS:${cpu}>" "$<TARGET_OBJECTS:${cpu}-feats>")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND "${CMAKE_LINKER}" -r --force-group-allocation -o "${object}.all" ${parts}
      COMMAND "${CMAKE_OBJCOPY}" --keep-global-symbol=ggml_backend_init --keep-global-symbol=ggml_backend_score "${object}.all"
      COMMAND "${CMAKE_OBJCOPY}" --redefine-sym ggml_backend_init=piaa_ggml_cpu_${name} --redefine-sym ggml_backend_score=piaa_ggml_score_${name}
              "${object}.all" "${object}"
      DEPENDS ${parts}
      COMMENT "Joining ggml's CPU back end for ${variant}" COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    list(APPEND objects "${object}")
    string(APPEND list " DO(${name})")
  endforeach()
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/include/vlm/variants.h" @ONLY CONTENT "#define PIAA_CPU_VARIANTS(DO)@list@\n")

  set(ggml "${piaa_ggml_source}/src")
  add_library(${target} STATIC src/vlm/variants.c "${ggml}/ggml-backend-reg.cpp" "${ggml}/ggml-backend-dl.cpp"
              $<TARGET_OBJECTS:ggml-base> $<TARGET_OBJECTS:ggml-rpc> ${objects})
  target_compile_features(${target} PRIVATE cxx_std_17)
  target_compile_definitions(${target} PRIVATE GGML_USE_CPU GGML_USE_RPC)
  target_include_directories(${target} PRIVATE "${ggml}" "${CMAKE_BINARY_DIR}/include" PUBLIC "${piaa_ggml_source}/include")
  target_link_libraries(${target} PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
endfunction()
