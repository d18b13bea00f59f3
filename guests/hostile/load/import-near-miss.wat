;; Wants something that is called almost like the world.
(component (import "permission-protocol:tenant/pp-admin@0.2.0" (instance)))
