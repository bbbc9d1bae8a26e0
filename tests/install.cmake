# Installs into a folder of its own, moves that elsewhere, and asks the program there for the model that was installed with it:
#   cmake -DBUILD=folder -DAT=folder -DPROGRAM=bin/piaa -DDATA=share -P install.cmake
file(REMOVE_RECURSE "${AT}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${AT}/first" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${AT}/first" "${AT}/moved")
execute_process(COMMAND "${AT}/moved/${PROGRAM}" model info OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
string(FIND "${said}" "${AT}/moved/${DATA}/piaa/models/demo\n" found)
if(found LESS 0)
  message(FATAL_ERROR "the model of another place was taken:\n${said}")
endif()
file(REMOVE_RECURSE "${AT}")
