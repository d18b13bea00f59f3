;; Imports a component.
(component (import "plugin" (component)))
