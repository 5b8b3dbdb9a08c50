; Definitions

(function_declaration name: (identifier) @name) @definition.function
(function_declaration
  name: (dot_index_expression table: (_) @container field: (identifier) @name)) @definition.function
(function_declaration
  name: (method_index_expression table: (_) @container method: (identifier) @name)) @definition.method
(assignment_statement
  (variable_list . name: (identifier) @name .)
  (expression_list . value: (function_definition body: (_)? @body) .)) @definition.function
(assignment_statement
  (variable_list . name: (dot_index_expression table: (_) @container field: (identifier) @name) .)
  (expression_list . value: (function_definition body: (_)? @body) .)) @definition.function
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @definition.variable)
(chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.variable)

; Imports

(assignment_statement
  (variable_list . name: (identifier) @import.module_alias)
  (expression_list
    . value: (function_call
      name: (identifier) @import.require
      arguments: (arguments . (string content: (_) @import.path))))
  (#eq? @import.require "require")) @import
(function_call
  name: (identifier) @import.require
  arguments: (arguments . (string content: (_) @import.path))
  (#any-of? @import.require "require" "dofile" "loadfile")) @import

; References

(function_call name: (identifier) @call)
(function_call name: (dot_index_expression field: (identifier) @call))
(function_call name: (method_index_expression method: (identifier) @call))
(identifier) @use
