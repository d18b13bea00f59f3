;; Wants the next WASI, whose files are not inert here.
(component (import "wasi:filesystem/types@0.3.0" (instance)))
