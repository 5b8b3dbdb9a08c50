; What only JavaScript has.

(field_definition property: (property_identifier) @name) @definition.field
