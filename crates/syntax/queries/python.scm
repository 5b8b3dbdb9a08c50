; Definitions

(function_definition name: (identifier) @name) @definition.function
(class_definition name: (identifier) @name) @definition.class
(module (expression_statement (assignment left: (identifier) @name)) @definition.variable)
(class_definition
  body: (block (expression_statement (assignment left: (identifier) @name)) @definition.field))
(type_alias_statement left: (type (identifier) @name)) @definition.type

; Imports

(import_statement name: (dotted_name) @import.path) @import
(import_statement
  name: (aliased_import name: (dotted_name) @import.path alias: (identifier) @import.module_alias)) @import
(import_from_statement module_name: (_) @import.path) @import
(import_from_statement module_name: (_) @import.path name: (dotted_name) @import.name) @import
(import_from_statement
  module_name: (_) @import.path
  name: (aliased_import name: (dotted_name) @import.name alias: (identifier) @import.alias)) @import
(import_from_statement module_name: (_) @import.path (wildcard_import) @import.all) @import

; References

(call function: (identifier) @call)
(call function: (attribute attribute: (identifier) @call))
(decorator (identifier) @call)
(class_definition superclasses: (argument_list (identifier) @type))
(type (identifier) @type)
(identifier) @use
