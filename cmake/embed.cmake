# Run by the build: writes files as constants of C++ into OUTPUT.  HEADER declares them, in NAMESPACE;
# FILES is "kName=path|kOther=path", below FOLDER.
set(text "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\n")
string(REPLACE "|" ";" pairs "${FILES}")
foreach(pair IN LISTS pairs)
  string(REGEX MATCH "^([^=]+)=(.+)$" pair "${pair}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${FOLDER}/${CMAKE_MATCH_2}" content)
  string(APPEND text "const std::string_view ${name} = R\"embed(${content})embed\";\n\n")
endforeach()
string(APPEND text "}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${text}")
