;; Imports a function outside any interface.
(component (import "fetch" (func (param "url" string) (result string))))
