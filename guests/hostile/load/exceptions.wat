;; Exceptions that unwind the frames of other functions.
(component (core module (tag $t) (func (throw $t)))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
