;; Imports the HTTP client of the next release of WASI.
(component (import "wasi:http/client@0.3.0" (instance)))
