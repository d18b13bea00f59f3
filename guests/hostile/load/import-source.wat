;; Wants the modules of a script, as the engine of scripts has them.
(component (import "permission-protocol:script/source@0.1.0" (instance)))
