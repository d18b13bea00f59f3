;; Exceptions, thrown across the frames of others.
(component (core module (tag $t) (func (throw $t))))
