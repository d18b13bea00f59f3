;; Imports an interface of the issuer.
(component (import "permission-protocol:host/authority@0.1.0" (instance)))
