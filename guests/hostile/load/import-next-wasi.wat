;; Imports the files of the next release of WASI, which are not inert here.
(component (import "wasi:filesystem/types@0.3.0" (instance)))
