;; Imports an interface whose name resembles the world's.
(component (import "permission-protocol:tenant/pp-admin@0.2.0" (instance)))
