;; Imports the interface through which the engine of scripts gets modules.
(component (import "permission-protocol:script/source@0.1.0" (instance)))
