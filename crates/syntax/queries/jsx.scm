; Elements of JSX use the components that they name; names in lower case are those of HTML.

; References

((jsx_opening_element name: (identifier) @call) (#match? @call "^[A-Z]"))
((jsx_self_closing_element name: (identifier) @call) (#match? @call "^[A-Z]"))
