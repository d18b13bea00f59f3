;; Imports name lookup of the next release of WASI.
(component (import "wasi:sockets/ip-name-lookup@0.3.0" (instance)))
