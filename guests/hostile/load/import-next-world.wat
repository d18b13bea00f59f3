;; Imports another version of the world.
(component (import "permission-protocol:tenant/pp@0.3.0" (instance)))
