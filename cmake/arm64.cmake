# Linux on arm64 from another machine: Debian's cross compiler, and its arm64 libraries in build/arm64-root (scripts/arm64-root), where
# qemu finds them as well.  make arm64 does it all.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root")
file(REAL_PATH "${CMAKE_SYSROOT}" CMAKE_SYSROOT)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(libraries "${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu")
# What an installed system finds through its alternatives.
set(blas /usr/lib/aarch64-linux-gnu/openblas-pthread)
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${CMAKE_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR} "${libraries}/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig:${CMAKE_SYSROOT}${blas}/pkgconfig")
add_link_options("LINKER:-rpath-link,${CMAKE_SYSROOT}${blas}")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L "${CMAKE_SYSROOT}" -E "LD_LIBRARY_PATH=${blas}")
