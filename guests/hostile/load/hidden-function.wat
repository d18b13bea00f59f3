;; The world's own interface, with one function more than the world has.
(component
  (import "permission-protocol:tenant/pp@0.2.0" (instance (export "export-private-key" (func (result string)))))
  (instance $entry)
  (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
