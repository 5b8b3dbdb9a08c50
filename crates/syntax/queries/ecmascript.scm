; What JavaScript and TypeScript share.

; Definitions

(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(class_declaration name: (_) @name) @definition.class
(method_definition name: (_) @name) @definition.method
(variable_declarator
  name: (identifier) @name
  value: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @definition.function
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @definition.class
(program (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program
  (export_statement
    (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)))
(assignment_expression
  left: (member_expression property: (property_identifier) @name)
  right: [
    (arrow_function body: (_) @body)
    (function_expression body: (_) @body)
  ]) @definition.function

; Imports

(import_statement source: (string) @import.path) @import
(import_statement (import_clause (identifier) @import.default) source: (string) @import.path) @import
(import_statement
  (import_clause
    (named_imports (import_specifier name: (_) @import.name alias: (identifier)? @import.alias)))
  source: (string) @import.path) @import
(import_statement
  (import_clause (namespace_import (identifier) @import.module_alias))
  source: (string) @import.path) @import
(export_statement source: (string) @import.path) @import
(export_statement
  (export_clause (export_specifier name: (_) @import.name alias: (_)? @import.alias))
  source: (string) @import.path) @import
(variable_declarator
  name: (identifier) @import.module_alias
  value: (call_expression
    function: (identifier) @import.require
    arguments: (arguments . (string) @import.path))) @import
(variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @import.name)
  value: (call_expression
    function: (identifier) @import.require
    arguments: (arguments . (string) @import.path))) @import
(call_expression function: (import) arguments: (arguments . (string) @import.path)) @import

; References

(call_expression function: (identifier) @call)
(call_expression function: (member_expression property: (property_identifier) @call))
(new_expression constructor: (identifier) @type)
(identifier) @use
(property_identifier) @use
(shorthand_property_identifier) @use
