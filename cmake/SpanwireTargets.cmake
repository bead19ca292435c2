# Functions that make our targets: one place for flags, names and folders.

# Standalone Asio, header-only, as Debian installs it.  The definitions let clang 19 see coroutines.
add_library(spanwire_asio INTERFACE)
add_library(Spanwire::asio ALIAS spanwire_asio)
set_target_properties(spanwire_asio PROPERTIES EXPORT_NAME asio)
set(SPANWIRE_ASIO_DEFINITIONS ASIO_STANDALONE ASIO_NO_DEPRECATED
  ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1 ASIO_DISABLE_FENCED_BLOCK)
target_compile_definitions(spanwire_asio INTERFACE ${SPANWIRE_ASIO_DEFINITIONS})
target_include_directories(spanwire_asio SYSTEM INTERFACE $<BUILD_INTERFACE:${SPANWIRE_ASIO_INCLUDE_DIR}>)
target_link_libraries(spanwire_asio INTERFACE Threads::Threads)

# spanwire_flags(target): warnings, visibility, sanitizers.  PRIVATE but for the language standard.
# Of clang only what g++ warns of too: its -Wconversion takes signs in, and libstdc++ 12's own stable_sort
# uses what it deprecates.
function(spanwire_flags target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
    $<$<BOOL:${SPANWIRE_WERROR}>:-Werror>
    $<$<CXX_COMPILER_ID:Clang>:-Wno-overloaded-virtual -Wno-sign-conversion -Wno-deprecated-declarations>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-restrict -Wno-dangling-pointer -fcoroutines>)
  # For the zeros of a structure g++ writes `rep stos`, whose start takes dozens of cycles.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(${target} PRIVATE
      "$<$<CONFIG:Release,RelWithDebInfo>:-mmemset-strategy=unrolled_loop:256:noalign,libcall:-1:noalign>")
  endif()
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  if(SPANWIRE_SANITIZE STREQUAL "address")
    set(sanitize -fsanitize=address,undefined)
  elseif(SPANWIRE_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread)
  elseif(SPANWIRE_SANITIZE)
    message(FATAL_ERROR "SPANWIRE_SANITIZE is '${SPANWIRE_SANITIZE}': want address, thread or nothing")
  endif()
  if(sanitize)
    target_compile_options(${target} PRIVATE ${sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:${sanitize}>)
  endif()
  if(SPANWIRE_BUILD_FUZZERS)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# spanwire_layer(name PUBLIC libs... PRIVATE libs...): lib/<name>/*.cpp, and those of folders
# in it, as Spanwire::<name>.
function(spanwire_layer name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/${name}/*.cpp)
  if(sources)
    set(scope PUBLIC)
    add_library(spanwire_${name} STATIC ${sources})
    spanwire_flags(spanwire_${name})
    # To store two words at once, g++ packs them into one vector register, which takes longer.
    target_compile_options(spanwire_${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-tree-slp-vectorize>)
    target_link_libraries(spanwire_${name} PRIVATE ${arg_PRIVATE})
    target_include_directories(spanwire_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY SPANWIRE_ARCHIVES spanwire_${name})
  else()
    set(scope INTERFACE)
    add_library(spanwire_${name} INTERFACE)
    target_compile_features(spanwire_${name} INTERFACE cxx_std_20)
  endif()
  add_library(Spanwire::${name} ALIAS spanwire_${name})
  set_target_properties(spanwire_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(spanwire_${name} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(spanwire_${name} ${scope} ${arg_PUBLIC})
  set_property(GLOBAL APPEND PROPERTY SPANWIRE_LAYERS spanwire_${name})
endfunction()

# spanwire_umbrella(name layers...): one target that stands for several layers.
function(spanwire_umbrella name)
  add_library(spanwire_${name} INTERFACE)
  add_library(Spanwire::${name} ALIAS spanwire_${name})
  set_target_properties(spanwire_${name} PROPERTIES EXPORT_NAME ${name})
  list(TRANSFORM ARGN PREPEND Spanwire:: OUTPUT_VARIABLE layers)
  target_link_libraries(spanwire_${name} INTERFACE ${layers})
  set_property(GLOBAL APPEND PROPERTY SPANWIRE_LAYERS spanwire_${name})
endfunction()

# spanwire_program(target LIBS libs... SOURCES files...): an executable of ours.
function(spanwire_program target)
  cmake_parse_arguments(arg "" "" "LIBS;SOURCES" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  spanwire_flags(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${arg_LIBS})
endfunction()

# spanwire_embed(target HEADER header NAMESPACE namespace FOLDER folder FILES kName=file...): the files
# as string constants, which the header declares; made anew when a file changes.
function(spanwire_embed target)
  cmake_parse_arguments(arg "" "HEADER;NAMESPACE;FOLDER" "FILES" ${ARGN})
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  set(output ${PROJECT_BINARY_DIR}/embedded/${target}.cpp)
  list(TRANSFORM arg_FILES REPLACE "^[^=]+=" "${PROJECT_SOURCE_DIR}/${arg_FOLDER}/" OUTPUT_VARIABLE inputs)
  list(JOIN arg_FILES "|" files)
  add_custom_command(OUTPUT ${output} DEPENDS ${inputs} ${script} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D HEADER=${arg_HEADER} -D NAMESPACE=${arg_NAMESPACE}
      -D FOLDER=${PROJECT_SOURCE_DIR}/${arg_FOLDER} -D "FILES=${files}" -P ${script})
  target_sources(${target} PRIVATE ${output})
endfunction()
