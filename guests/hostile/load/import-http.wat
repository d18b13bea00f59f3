;; Wants to send requests by the next release of WASI.
(component (import "wasi:http/client@0.3.0" (instance)))
