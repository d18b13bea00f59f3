;; Imports a core module.
(component (import "plugin" (core module)))
