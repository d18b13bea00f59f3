;; Imports a key-value store, which the host does not have.
(component (import "wasi:keyvalue/store@0.2.0" (instance)))
