;; Imports an interface of another host.
(component (import "acme:bank/transfer@1.0.0" (instance)))
