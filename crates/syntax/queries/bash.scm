; Definitions

(function_definition name: (word) @name) @definition.function
(program (variable_assignment name: (variable_name) @name) @definition.variable)
(program (declaration_command (variable_assignment name: (variable_name) @name) @definition.variable))

; Imports

(command
  name: (command_name) @import.require
  . argument: [(word) (string) (raw_string) (concatenation)] @import.path
  (#any-of? @import.require "source" ".")) @import

; References

(command name: (command_name (word) @call))
(simple_expansion (variable_name) @use)
(expansion (variable_name) @use)
(variable_assignment name: (variable_name) @use)
