;;; dacapo.el --- Completion by dacapo, through eglot  -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "29.1"))
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; Names dacapo as the language server of programming modes that eglot knows no other for,
;; and puts it in place of the others on request: eglot runs one server for a buffer.

;;; Code:

(require 'eglot)

(defgroup dacapo nil
  "Completion by a model on this machine."
  :group 'tools)

(defcustom dacapo-command '("dacapo" "lsp")
  "The program that is started, and its arguments."
  :type '(repeat string))

;;;###autoload
(defun dacapo-use (&rest modes)
  "Let eglot start dacapo for MODES, in place of other servers.
Without MODES, for all programming modes that eglot knows no server for."
  (if modes
      (push (cons modes dacapo-command) eglot-server-programs)
    (setq eglot-server-programs
          (append eglot-server-programs (list (cons 'prog-mode dacapo-command))))))

(defun dacapo--execute (command instruction)
  "Run COMMAND of the server on the region or at point, with INSTRUCTION if there is one."
  (let ((server (eglot-current-server))
        (range (list :start (eglot--pos-to-lsp-position (if (use-region-p) (region-beginning) (point)))
                     :end (eglot--pos-to-lsp-position (if (use-region-p) (region-end) (point))))))
    (unless server
      (user-error "No server is attached; M-x eglot starts it"))
    (eglot-execute server
                   (list :title command
                         :command command
                         :arguments (vector (append (eglot--TextDocumentIdentifier)
                                                    (list :range range)
                                                    (and instruction (list :instruction instruction))))))))

;;;###autoload
(defun dacapo-edit (instruction)
  "Change the region, or the code at point, by INSTRUCTION."
  (interactive "sWhat shall be changed? ")
  (dacapo--execute "dacapo.edit" instruction))

(provide 'dacapo)
;;; dacapo.el ends here
