;; Wants to be given a component.
(component (import "plugin" (component)))
