;; Wants the side that decides.
(component (import "permission-protocol:host/authority@0.1.0" (instance)))
