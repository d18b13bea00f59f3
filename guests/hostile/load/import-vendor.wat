;; Wants an interface of somebody else's host.
(component (import "acme:bank/transfer@1.0.0" (instance)))
