;; A deploy function that takes any number as a receipt.
(component
  (import "permission-protocol:tenant/deploy@0.2.0" (instance (export "deploy" (func (param "receipt" u32)))))
  (instance $entry)
  (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
