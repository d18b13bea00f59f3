;; Calls that leave no stack behind, and so never end it.
(component (core module (func $again (return_call $again))))
