;; Imports the network of the next release of WASI.
(component (import "wasi:sockets/types@0.3.0" (instance)))
