; Definitions

(method name: (_) @name) @definition.function
(singleton_method name: (_) @name) @definition.method
(class name: [(constant) @name (scope_resolution name: (constant) @name)]) @definition.class
(module name: [(constant) @name (scope_resolution name: (constant) @name)]) @definition.module
(assignment left: (constant) @name) @definition.constant
(call
  method: (identifier) @attribute
  arguments: (argument_list (simple_symbol) @name @definition.field)
  (#any-of? @attribute "attr_reader" "attr_writer" "attr_accessor"))

; Imports

(call
  method: (identifier) @import.require
  arguments: (argument_list . (string (string_content) @import.path) .)
  (#any-of? @import.require "require" "require_relative" "load")) @import

; References

(call method: (identifier) @call)
(call method: (constant) @call)
(constant) @type
(identifier) @use
(instance_variable) @use
