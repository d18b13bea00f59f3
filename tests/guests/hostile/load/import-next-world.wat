;; Wants another version of the world.
(component (import "permission-protocol:tenant/pp@0.2.0" (instance)))
