;; Wants to be given code.
(component (import "plugin" (core module)))
