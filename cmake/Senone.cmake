# SPDX-License-Identifier: Apache-2.0
# How every folder declares its library and its tests; no global flags.
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(BLAS REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(DEFLATE REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr)
pkg_check_modules(KISSFFT REQUIRED IMPORTED_TARGET kissfft-float)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(CBLAS REQUIRED IMPORTED_TARGET openblas)

add_library(senone_flags INTERFACE)
target_compile_features(senone_flags INTERFACE c_std_11 cxx_std_17)
target_include_directories(senone_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(senone_flags INTERFACE _POSIX_C_SOURCE=200809L
  SENONE_VERSION="${PROJECT_VERSION}"
  $<$<NOT:$<BOOL:${SENONE_HARDENING}>>:SN_NO_HARDENING>)
target_compile_options(senone_flags INTERFACE -fno-math-errno
  $<$<CONFIG:Release>:-O2>
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla
  -Wundef -Wwrite-strings -Wcast-qual -Wpointer-arith
  $<$<NOT:$<C_COMPILER_ID:Clang>>:-Wdouble-promotion>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes;-Wold-style-definition>
  $<$<BOOL:${SENONE_WERROR}>:-Werror>
  $<$<BOOL:${SENONE_SANITIZE}>:-fsanitize=address,undefined;-fno-sanitize-recover=all;-fno-omit-frame-pointer>
  $<$<BOOL:${SENONE_TSAN}>:-fsanitize=thread>
  $<$<BOOL:${SENONE_FUZZ}>:-fsanitize=fuzzer-no-link,address,undefined;-fno-sanitize-recover=all>)
target_link_options(senone_flags INTERFACE
  $<$<BOOL:${SENONE_SANITIZE}>:-fsanitize=address,undefined>
  $<$<BOOL:${SENONE_TSAN}>:-fsanitize=thread>
  $<$<BOOL:${SENONE_FUZZ}>:-fsanitize=address,undefined>)

# senone_library(base DEPS ZLIB::ZLIB ...): the folder's *.c (and *.cc) as one
# object library sn_<folder>, with what it may use.
function(senone_library name)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.c *.cc)
  if(NOT sources)
    return()
  endif()
  add_library(sn_${name} STATIC ${sources})
  set_target_properties(sn_${name} PROPERTIES C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_link_libraries(sn_${name} PUBLIC ${arg_DEPS} senone_flags)
  set_property(GLOBAL APPEND PROPERTY SENONE_LIBRARIES sn_${name})
endfunction()

# senone_tests(base LABELS unit DEPS sn_base): every tests/<folder>/test_*.c is
# a program of its own, run by ctest; exit status 77 is a visible skip.
function(senone_tests folder)
  cmake_parse_arguments(arg "" "" "DEPS;LABELS" ${ARGN})
  if(NOT TARGET sn_${folder})
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS test_*.c)
  foreach(source ${sources})
    get_filename_component(test ${source} NAME_WE)
    set(target ${folder}_${test})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF)
    target_link_libraries(${target} PRIVATE ${arg_DEPS} senone_flags cmocka m)
    add_test(NAME ${folder}/${test} COMMAND ${target}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${folder}/${test} PROPERTIES SKIP_RETURN_CODE 77
      LABELS "${folder};${arg_LABELS}")
  endforeach()
endfunction()
